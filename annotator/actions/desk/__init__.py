"""What a person is given, and what they say."""
