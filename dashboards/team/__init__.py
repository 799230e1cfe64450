"""The desk of a team: where help is needed, and how the team does; and the firm over its teams."""
