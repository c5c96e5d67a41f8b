"""What only a real server has, and what would leave the store: refused, each with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.embedded.store.answers import Refusal
from pipeline.embedded.store.tokens import Token

# Table functions and engines that reach outside the store: files, other hosts, programs.
_REACHING = frozenset(
    """file filecluster url urlcluster s3 s3cluster gcs azureblobstorage remote remotesecure
    cluster clusterallreplicas executable python mysql postgresql mongodb redis sqlite odbc jdbc
    hdfs hdfscluster iceberg deltalake hudi arrowflight kafka nats rabbitmq""".split()  # noqa: SIM905
)
_ACCESS = frozenset({"USER", "ROLE", "QUOTA", "POLICY", "PROFILE"})
_SYSTEM = frozenset({"SHUTDOWN", "KILL", "SUSPEND", "LISTEN", "RESTART", "REPLICA", "FAILPOINT"})


def refuse(tokens: Sequence[Token]) -> None:
    """Refuse a statement that asks for it.

    Raises:
        Refusal: code 48, the sentence says what to do instead.
    """
    words = [token.word for token in tokens]
    first, second = [*words, "", ""][:2]
    what = ""
    if first == "KILL" and second != "MUTATION":
        what = "no KILL QUERY: close the connection of the query instead"
    elif first in {"GRANT", "REVOKE"} or (
        first in {"CREATE", "ALTER", "DROP"} and _ACCESS & set(words[1:4])
    ):
        what = "no users, roles or grants"
    elif first == "SYSTEM" and _SYSTEM & set(words[1:]):
        what = f"no SYSTEM {second}"
    else:
        what = _outside(tokens, words)
    if what:
        raise Refusal(48, "NOT_IMPLEMENTED", f"The embedded store has {what}")


def _outside(tokens: Sequence[Token], words: Sequence[str]) -> str:
    # The engine itself keeps a backup's File below the store's own folder (`Folder.config`).
    reaching = _REACHING - {"file"} if words[:1] in (["BACKUP"], ["RESTORE"]) else _REACHING
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        sign = tokens[at + 1].text if at + 1 < len(tokens) else ""
        before = words[at - 1] if at else ""
        if word == "ON" and following == "CLUSTER":
            return "no clusters: leave ON CLUSTER out"
        if (word, following) in {("INTO", "OUTFILE"), ("FROM", "INFILE")}:
            return f"no {word} {following}: send and take the data over HTTP"
        is_engine = tokens[at - 1].text == "=" and at > 1 and words[at - 2] == "ENGINE"
        if word.startswith("REPLICATED") and is_engine:
            return "no replication: leave Replicated out of the engine's name"
        if word.lower() in reaching and (sign == "(" or is_engine) and before != "INTO":
            return f"no {tokens[at].text}: it reaches nothing outside its own folder"
    return ""
