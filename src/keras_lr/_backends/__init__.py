"""The only room that imports a framework: one small verb a module, one file a backend."""
