-- What the views of the ledger say of themselves, as all later ones do: the rows of the list of numbers,
-- a sentence for a person, and the units of columns.
ALTER TABLE ledger{cluster} MODIFY COMMENT 'L3
What became of the events of each partition, by the timestamp of their records.
received events, counted events, duplicate events, rejected events, skipped records';

ALTER TABLE ledger_by_tenant{cluster} MODIFY COMMENT 'L3
What became of the events of each tenant and type; they are empty where they could not be read, the type also where it is unknown.
counted events, duplicate events, rejected events';

ALTER TABLE rejections{cluster} MODIFY COMMENT 'L3
Why events were rejected, by topic.
rejected events';

ALTER TABLE ledger_gaps{cluster} MODIFY COMMENT 'L3
Offsets that no chunk covers, that two chunks cover, or that were lost; no rows when all is well.
';
