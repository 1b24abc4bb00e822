"""What runs the application: the embedded database, the supervisor, the model process."""
