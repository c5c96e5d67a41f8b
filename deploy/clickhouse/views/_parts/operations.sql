-- What response times are told of (D4). The rollups' materialized views say the same, in the migrations.
MACRO _is_completion() AS operation IN ('chat', 'text_completion', 'generate_content');

MACRO _is_embedding() AS operation = 'embeddings';
