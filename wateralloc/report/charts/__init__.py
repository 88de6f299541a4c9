"""Charts of results: drawn once, shown in a report that answers to hover and choice, or saved.

A chart is a Vega-Lite specification, made with Altair.  It draws all members and answers to two
parameters, `member` and `season`: place 0 is all of them, or the whole year.  The report sets them
by its lists of choices; a figure that is saved has them set beforehand.
"""
