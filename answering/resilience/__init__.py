"""Defences against dependencies that are slow, broken or full. Standard library only; clocks can be replaced.

deadline      one absolute point in time, passed down
breaker       stop calling what is down
hedging       a second call where the first is late, within a budget
limiter       how many calls a dependency takes at once
shedding      who waits, who goes first, who is turned away
pacing        tokens to frames
singleflight  one call for many askers
observing     what all of these report
"""
