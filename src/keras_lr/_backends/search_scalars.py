"""Where the scalars of a search live: on the device in a compiled step, on the host where every step is eager.

Three verbs. ``unpack`` gives the entries of vectors as scalars; ``pack`` makes a vector of scalars; ``choose`` runs
one of two functions.
"""

import keras

if keras.backend.backend() == "torch":
    from .search_scalars_torch import choose as choose
    from .search_scalars_torch import pack as pack
    from .search_scalars_torch import unpack as unpack
else:
    from .search_scalars_ops import choose as choose
    from .search_scalars_ops import pack as pack
    from .search_scalars_ops import unpack as unpack
