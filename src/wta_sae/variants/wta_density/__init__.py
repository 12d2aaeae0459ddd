"""Winner-takes-all with a penalty on dense tokens"""
