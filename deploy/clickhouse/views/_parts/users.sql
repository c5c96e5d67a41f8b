-- A row's user as one number: what sipHash makes of the two ids, 128 bits, as `uniqExact` has of a text. Ids stand in
-- dictionaries, so that few of them are hashed, and rows are put together by a number instead of two texts.
MACRO _user_number() AS
(reinterpretAsUInt128(sipHash128(user_id)) + reinterpretAsUInt128(sipHash128('of', tenant)));
