"""Ways of sharing, as pure functions of numbers: no basin, no time, no solver of the basin.

``claims``
    An estate is too small for the claims on it: who gets how much.
``river``
    The same along a river, where upstream water can only be given downstream.
``agreements``
    What treaties, compacts and operating rules ask of a number of the day.
``games``
    What a coalition can do alone, and what each member may ask for staying in.
"""
