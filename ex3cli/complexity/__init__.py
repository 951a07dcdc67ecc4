"""`ex3 complexity`: what an LSTM layer and a Transformer layer cost: operations counted, time and memory
measured.
"""
