"""The cheapest settings that hold a rate, by blocks of open load.

asked        what was asked, and the records: each block, and what it showed of its candidates
grid         the settings that could matter: lines of rising slots, each line with its workers
standing     blocks -> who holds the rate, who does not, and which blocks were the machine's
next_group   blocks -> "offer these the rate", or "enough"
answer       blocks -> the settings to deploy, or the nearest miss, as a table

All are pure: a run resumes from its records.

    next_group.decide(asked, blocks, left_s) -> Offer(candidates) | Enough(why)
    answer.answer(asked, blocks) -> RateAnswer
"""
