"""The data of simulated requests: tokens, durations, costs and failures that fit the model."""

from itertools import accumulate
from random import Random

from pipeline.simulate.catalogue import FAILURE_SHARE, FAILURES, ModelUse
from pipeline.simulate.world import Caller, Tenant

TABLE = 4096
NANOS = 1_000_000_000


class Requests:
    """Makes the data of requests, as JSON text, drawing from one random generator.

    Log-normal factors come from a table drawn once: looking one up costs a fifth of drawing it.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._factors = [rng.lognormvariate(0, 0.7) for _ in range(TABLE)]
        self._failure_weights = list(accumulate(share for _, _, share in FAILURES))
        self._fragments: dict[ModelUse, str] = {}

    def data(self, tenant: Tenant, caller: Caller) -> str:
        """The data of one request of a caller."""
        random = self._rng.random
        use = caller.uses[int(random() * len(caller.uses))]
        head = f"{self._fragment(use)},{caller.fragment}"
        if random() < FAILURE_SHARE:
            return f"{{{head},{self._failure(use, tenant.currency)}}}"
        factors = self._factors
        inputs = int(use.input_tokens * factors[int(random() * TABLE)]) + 1
        outputs = int(use.output_tokens * factors[int(random() * TABLE)])
        duration = (use.base_ms + use.token_ms * outputs) * (0.75 + random() * 0.6)
        cached = int(inputs * use.cached_share * random())
        parts = self._parts(use, cached, outputs)
        cost = _cost(use, inputs, cached, outputs, tenant.currency)
        return (
            f'{{{head},"status_code":200,"duration_ms":{duration:.2f},'
            f'"input_tokens":{inputs},"output_tokens":{outputs}{parts}{cost}}}'
        )

    def _fragment(self, use: ModelUse) -> str:
        found = self._fragments.get(use)
        if found is None:
            found = self._fragments[use] = use.fragment
        return found

    def _failure(self, use: ModelUse, currency: str) -> str:
        """A failed request: it used nothing, and cost nothing."""
        status, error, _ = self._rng.choices(FAILURES, cum_weights=self._failure_weights)[0]
        duration = 60_000.0 if status == 504 else (8 + use.base_ms * self._rng.random())
        price = _cost(use, 0, 0, 0, currency)
        return (
            f'"status_code":{status},"error_type":"{error}","duration_ms":{duration:.2f},'
            f'"input_tokens":0,"output_tokens":0{price}'
        )

    def _parts(self, use: ModelUse, cached: int, outputs: int) -> str:
        """The tokens that are parts of the others."""
        text = f',"cache_read_input_tokens":{cached}' if cached else ""
        if use.reasoning_share:
            reasoning = int(outputs * use.reasoning_share * self._rng.random())
            text += f',"reasoning_output_tokens":{reasoning}'
        return text


def _cost(use: ModelUse, inputs: int, cached: int, outputs: int, currency: str) -> str:
    """The exact cost, in whole nano-units; cached input costs a quarter."""
    price = use.input_price
    if price is None:
        return ""
    nanos = (inputs - cached) * price + cached * price // 4 + outputs * use.output_price
    amount = f',"cost":"{nanos // NANOS}.{nanos % NANOS:09d}"'
    return amount if currency == "USD" else f'{amount},"currency":"{currency}"'
