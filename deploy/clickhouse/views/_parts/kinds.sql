-- What kind of value a leaf is. A string that is a number as JSON writes them, without an exponent, is counted as
-- that number.
MACRO _kind(leaf) AS
transform(
    substring(leaf, 1, 1),
    ['n', 'x', 'b', 'a', 'o'],
    ['number', 'number that is not exact', 'boolean', 'array', 'empty object'],
    if(match(leaf, '^s-?(0|[1-9][0-9]*)([.][0-9]+)?$'), 'number in a string', 'string'));
