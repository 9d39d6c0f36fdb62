"""How many workers to deploy, and what they hold.

candidates   what is worth trying: the ladder up to the knee, for threads a sparse grid
estimate     what the blocks say of the candidates, taken together
recommend    outcomes -> "measure a block of these", and the rule
belief       what the trials say about where the edge lies
search       outcomes -> "offer this rate for up to so long", and the bracket
answer       what was found, as values: tune.json and the data of the charts
explain      the paragraph, and the command line

All of it is pure: `decide(setup, outcomes so far, seconds left)` says what comes next, and the best answer so far can
be had at any moment (`choose`, `conclude`). No clock, no disk, no state between the calls, so that a run resumes from
its records. What launches servers and offers loads hands in outcomes:

    recommend.decide(setup, blocks, left_s) -> Measure(candidates) | Enough(why)
    search.decide(search, trials, left_s)   -> Try(rate_rps, up_to_s, stops, queue) | Done(ending)
"""
