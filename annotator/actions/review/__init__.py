"""Labels that look wrong, and a reviewer's word on them."""
