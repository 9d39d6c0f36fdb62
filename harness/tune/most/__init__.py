"""The settings of highest capacity under the objectives, and the cheapest within the margin of it, by open load.

usual        the objective where none is given
race         what blocks and rounds come to: who is in the race, and who is to be deployed
levels       the closed blocks and the rounds of open load -> the capacity of each candidate, and how well it is known
next_round   closed blocks, rounds -> "offer these that rate", or "enough"
verdict      the race -> the settings to deploy, and what each candidate holds

A round is a block of `rate/` whose rate changes from one to the next. All are pure: a run resumes from its records.

    next_round.decide(setup, blocks, rounds, slo, left_s) -> Round(candidates, rate_rps) | Enough(why)
"""
