"""JAX: one program is compiled of a whole step, and arrays are never changed."""
