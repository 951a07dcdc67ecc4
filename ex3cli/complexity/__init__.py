"""`ex3 complexity`: the cost of an LSTM layer and a Transformer layer: operations, time and memory."""
