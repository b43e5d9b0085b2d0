"""first try, keep for reference"""


def moving_average(values, window):
    out = []
    for i in range(len(values)):
        if i + 1 < window:
            out.append(None)
        else:
            out.append(sum(values[i + 1 - window : i + 1]) / window)
    return out


def get_signal(closes, fast=5, slow=20):
    f = moving_average(closes, fast)
    s = moving_average(closes, slow)
    if f[-1] is None or s[-1] is None:
        return "HOLD"
    if f[-1] > s[-1] and f[-2] is not None and s[-2] is not None and f[-2] <= s[-2]:
        return "BUY"
    if f[-1] < s[-1] and f[-2] is not None and s[-2] is not None and f[-2] >= s[-2]:
        return "SELL"
    return "HOLD"
