"""An example of docs/examples, started by the commands of its README."""

from .documents import EXAMPLES, Document


class Example(Document):
    """One example, with a node and a copy of its folder."""

    def __init__(self, name):
        super().__init__(EXAMPLES / name / "README.md")

    def do(self, command):
        """Runs a command to its end; answers what it printed."""
        process, output = self.start(command)
        code = process.wait(30)
        assert code == 0, f"{command} ended with {code}: {self.text(output)}"
        return self.text(output)

    def published(self, filters):
        """Everything in the log of these topics, in order, as (topic, data)."""
        return [(each["topic"], each.get("data")) for each in self.node.json(f"/v1/events?topic={filters}&since=earliest")["events"]]

    def break_down(self):
        self.node.kill()

    def come_back(self):
        self.node.start()
