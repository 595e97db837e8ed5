"""The text of docs/size_and_power.md, around what `size_and_power.py` measures."""

PAGE = """# Size and power of the tests

Written by `python benchmarks/size_and_power.py` (seeded: the same every time). Numbers are percent of samples.

## Samples like the committed results

The daily QLIKE differences of every row of a board of `us21` from `har` get an autoregression (its order by AIC) and
an ARMA(1, 1); 1,000 samples of each are drawn from their own residuals, with mean zero, and tested at nominal 5 %.
Given are the means over the rows, AR / ARMA, and the largest rate of a row.

<!-- real -->
{real}
<!-- /real -->

- **EWC** is the test of this project: `equal_weighted_cosine`, 16 cosines up to a week, 8 at a month. On the official
  split it keeps its size at every horizon. **Bartlett** is the textbook's (`panel_diebold_mariano`): real differences
  last longer than its lags.
- **development** is one long cluster, the spring of 2020: neither test has its size in all rows, so no p is printed
  there.
- **found at 2.80** is the share of samples in which a true difference of 2.80 standard errors, the smallest
  resolvable gap, is found. It would be 80 % with very many cosines; with 16 that takes 2.98 of them, with 8 it takes
  3.20.

## Intervals, ranks and sets on samples like the committed results

Samples of all rows together: each series an autoregression of its own, the residuals of a day drawn together, so that
what is common to a day stays common (200 samples in the first table, 100 in the second: ± 2 and ± 3 at 90 %).

<!-- coverage -->
{coverage}
<!-- /coverage -->

- The first table: how often a 90 % interval of the skill against `garch` holds the true one, mean of six rows, with
  the median width in percentage points: `cosine_skill_intervals` beside the percentile bootstrap.
- The second: **rank sets** are right where those of all rows hold the true ranks at once (nominal 90), with the mean
  number of ranks in a set in brackets; **set** is right where the best row, or all of them, is in the 90 % confidence
  set. `as measured`: the true means are those of the board. `all equal`: no row is better than another, the hardest
  case. There the bootstrap takes the few blocks that a sample has for all that there is, and falls far short;
  `errors="cosine"` comes close and pays with wider sets.

<!-- worlds -->
{worlds}
<!-- /worlds -->
"""
WORLDS = """## A true null, rejected at nominal 5 %

From here on the world is made up: {symbols} symbols whose log variance follows a common factor, a noisy daily
measure, targets that overlap at h > 1, QLIKE. Two forecasts start from the same good one and have log errors of equal
size (standard deviation {noise}) that last (an autoregression, `persistence`) and are correlated by 0.6 across
symbols. They are exchangeable, so neither is better, at any level of volatility. {draws} samples in this table,
{half} for nested models, {few} in the others: 5 % is known to about ± {error:.1f} here and ± {rough:.1f} in the last
ones (one standard error).

{size}

- **headline** is `equal_weighted_cosine`. It must stay within 3 to 8 % in every row (tested).
- **Bartlett** is `panel_diebold_mariano`, **stacked** the t test that takes all stock-days for independent: what not
  to do.
- **GW** is `giacomini_white` as the project uses it, **regime shift** its narrower question; **theorem 1** is the
  paper's variance without lags, which reads lasting disagreement as a difference.

## The same where differences last longer

{lasting}

Nine lags do not see so lasting an autocorrelation; sixteen cosines see most of it.

## A difference, found at 5 %

The second forecast's error is larger: `QLIKE gap` is the mean difference, `skill` the gain of the first, `resolvable
gap` 2.80 standard errors. `found` is the headline's rate. The larger rate of `stacked` is no power: it rejects true
nulls hardly less often.

{power}

## Five equal forecasts

{many}

- All should be **in the 90 % confidence set** in 90 % of the samples, all sets of ranks should hold rank 1, and 0
  should lie **in the 90 % interval** of the skill of one against another. Whatever is resampled in blocks falls short
  of it at h > 1: mean blocks of 28 or 42 days leave some twenty of them, and the bootstrap takes the spread that they
  show for the true one. An entry just outside the set is weak evidence.
- **Holm**: any false rejection among four tests against a reference, by the headline test; **SPA**: the claim that
  any of four beats it (200 bootstrap draws). Nominal: 5.

## Nested models and calibration

An expanding mean against an expanding regression on a variable with this slope, MSE, h = 1, one-sided at 5 %:

{nested}

At slope 0 the larger model only estimates noise: Diebold-Mariano hardly ever rejects, Clark-West nearly as often as it
should. Mincer-Zarnowitz rejects a forecast that is right in {calibration:.1f} % of series of {n} sessions: the noise
grows with the level, and few large days decide.
"""
