"""A broker that wants TLS and a password: every client of ours gets in, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.errors import Halted
from tests.support.harness.kafka_broker import KafkaBroker
from tests.support.harness.process import free_port
from tests.support.harness.scene import Scene
from tests.support.harness.store import EmbeddedStore

TLS = Path(__file__).parent / "tls"
PASSWORD = "hunter2-of-kafka"
UNREACHED = 75


class SecuredKafka(KafkaBroker):
    """A broker with a second listener: TLS, and a user that logs in by SCRAM-SHA-512."""

    def _format(self) -> None:
        super()._format()
        self.secured = f"127.0.0.1:{free_port()}"
        keys = self._folder / "keys.pem"
        keys.write_text((TLS / "server.key").read_text() + (TLS / "server.pem").read_text())
        own = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keys),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            "super.users": "User:ANONYMOUS",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.secured.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        }
        text = self._properties.read_text()
        for name, more in (
            ("listeners", f"SECURED://{self.secured}"),
            ("advertised.listeners", f"SECURED://{self.secured}"),
            ("listener.security.protocol.map", "SECURED:SASL_SSL"),
        ):
            text = text.replace(f"\n{name}=", f"\n{name}={more},")
        lines = [f"{name}={value}" for name, value in own.items()]
        self._properties.write_text("\n".join([text, *lines]))

    def add_user(self, name: str) -> None:
        """Let a user in, by the listener that asks for nothing."""
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        user = UserScramCredentialUpsertion(name, scram, PASSWORD.encode())
        for added in self.admin.alter_user_scram_credentials([user]).values():
            added.result(30)

    def keep_for_another(self, topic: str) -> None:
        """Let somebody else alone know of a topic."""
        allowed = AclOperation.READ, AclPermissionType.ALLOW
        what = ResourceType.TOPIC, topic, ResourcePatternType.LITERAL
        for made in self.admin.create_acls(
            [AclBinding(*what, "User:another", "*", *allowed)]
        ).values():
            made.result(30)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[SecuredKafka]:
    kafka = SecuredKafka(tmp_path)
    kafka.start()
    kafka.add_user("worker")
    yield kafka
    kafka.kill9()


def test_all_commands_get_in_with_a_password_from_a_file(
    secured: SecuredKafka, store: EmbeddedStore, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    scene = Scene(secured, store, tmp_path)
    scene.settings |= {
        "USAGE_KAFKA": secured.secured,
        "USAGE_KAFKA_SECURITY": "sasl_ssl",
        "USAGE_KAFKA_CA": str(TLS / "server.pem"),
        "USAGE_KAFKA_USER": "worker",
        "USAGE_KAFKA_PASSWORD_FILE": str(password),
        "USAGE_PARTITIONS": "2",
    }
    scene.partitions = 2
    try:
        assert "made" in scene.run("topics", "create")
        scene.run("migrate")
        worker = scene.worker()
        scene.send(500)
        scene.check()
        assert "1 worker" in scene.run("status")
        assert "all is well" in scene.run("audit", "--recount")
        scene.stop(worker)
        secured.await_empty(scene.group)
        assert "nothing to rewind" in scene.run("rewind", "--to-store")
        said = worker.output() + scene.run("settings")
        growth = scene.topic("usage.topic-growth")
        secured.keep_for_another(growth)
        refused = scene.worker()
        scene.await_end(refused, Halted.exit_code)
        assert f"does not let worker know whether there is a topic {growth}" in refused.output()

        password.write_text("wrong")
        refused = scene.worker()
        scene.await_end(refused, UNREACHED)
        denied = "does not let us in: SASL authentication error: Authentication failed"
        assert denied in refused.output(), refused.tail()
        for command in (["topics", "check"], ["status"], ["tail"], ["dead-letter", "list"]):
            asked = scene.start(*command)
            assert asked.wait(60) == UNREACHED, asked.tail()
            [line] = asked.output().splitlines()
            assert f"Kafka at {secured.secured} (USAGE_KAFKA) {denied}" in line
            assert "USAGE_KAFKA_USER is 'worker', with USAGE_KAFKA_PASSWORD" in line
        assert "Traceback" not in refused.output(), refused.tail()
        assert PASSWORD not in said + refused.output()
    finally:
        scene.end()
