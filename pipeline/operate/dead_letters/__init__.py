"""The dead-letter topic for operators: ``usage dead-letter list | show | export | retry``.

letter       one dead letter, as its record has it
selection    which of them are meant
reading      the topic, from its start to its end: the newest of each key
exchange     as lines of JSON: what ``export`` writes, and corrected comes back
events       what can be told of an event whatever is wrong with it
plan         what would be sent, and whether it would count
resend       which are to be sent again, and the plan of each
retry        sending and marking, in one Kafka transaction
screen       for people
"""
