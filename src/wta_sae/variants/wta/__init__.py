"""Winner-takes-all"""
