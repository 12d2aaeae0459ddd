"""Winner-takes-all by demand"""
