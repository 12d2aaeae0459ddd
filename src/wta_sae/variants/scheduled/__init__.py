"""Winner-takes-all first, demand later"""
