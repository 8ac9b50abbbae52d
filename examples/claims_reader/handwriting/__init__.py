"""How the example's data are made: which images go where, and how forms, feed and damage are composed from them."""
