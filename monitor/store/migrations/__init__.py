"""Steps of the store's schema, oldest first in `versions`; each is frozen once it was released."""
