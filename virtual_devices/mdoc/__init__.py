"""ISO/IEC 18013-5: the mobile document (mdoc), sans-IO. Files are named after the standard's own parts."""
