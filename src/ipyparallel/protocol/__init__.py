"""What travels between client, controller and engines, and where they find each other."""
