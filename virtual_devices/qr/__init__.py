"""What stands in the QR codes (二維條碼) of the virtual card: the signed codes of the profile, and the deployed card's token."""
