"""What is measured, beside what others have."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the application has it
