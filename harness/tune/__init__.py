"""How many workers to deploy, and what load they hold.

Which settings, as far as blocks of closed load tell:

candidates   the counts worth trying: a ladder up to the knee, for threads a sparse grid
blocks       the records: what is measured first, and what each block showed
estimate     the throughput of every candidate, from all blocks together
tie_set      the rule: the smallest of those within the margin of the best
roster       who is launched again, and who is out
next_block   blocks -> "measure these", or "enough"
choice       blocks -> the candidate to deploy

Which of them have the highest capacity under the objectives, and the cheapest near it, by rounds of open load:

most/         a folder of its own

Which rate it holds, by trials of open load:

search       what is looked for, and the ladder of rates
trials       the records: each rate that was offered, and whether the objectives held
belief       a probability for each place where the edge can lie
rungs        the trials on the ladder, and where they put the edge
next_rate    trials -> "offer this rate", or "done"
bracket      trials -> the rates between which the edge lies

Which settings are the cheapest that hold a rate, by blocks of open load:

rate/        a folder of its own

All of these are pure: no clock, no disk, no state between the calls. So a run resumes from its records, and the best
answer so far can be had at any moment. What launches servers and offers loads hands in the records:

    next_block.decide(setup, blocks, left_s) -> Measure(candidates) | Enough(why)
    next_rate.decide(search, trials, left_s) -> Try(rate_rps, up_to_s, stops, queue) | Done(ending)

Around them:

subject          what is tuned, of a suite or by names
state            the question, what is known so far, and the seam to what measures it
session          one worker under one connection, then the blocks, then the search, within the budget
racing           the rounds of open load of a question without a rate
holding          the blocks of a question with a rate
live             what launches servers and offers loads for a session
journal          the steps of a session on disk, to go on from
rows             the candidates as a table
recommendation   what a tuning comes to, as values: tune.json and the data of the charts
explain          the paragraph, and the command line to deploy; explain_rate: the paragraph of a question with a rate;
                 explain_capacity: the sentences on the load that is held
conclusion       a session -> the recommendation
sitting          a call of `gatebench tune`, new or resumed
"""
