"""Dead letters for operators: ``usage dead-letter list | show | export | retry``.

They are read by `pipeline.kafka.dead_letters`.

events       what can be told of an event whatever is wrong with it
plan         what would be sent, and whether it would count
resend       which are to be sent again, and the plan of each
retry        sending and marking, in one Kafka transaction
screen       for people
"""
