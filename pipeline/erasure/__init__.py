"""Erasure of people from all tables and files, and its verification."""
