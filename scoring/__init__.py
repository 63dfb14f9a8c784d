"""The score: liability, the kernel, revisions, standing, explanation. Pure."""
