"""The demo: two wholesalers, the people who work there, and two years of what their customers did.

EVERYTHING HERE IS FICTIONAL. The firms, the people, the customers, their contacts, orders and complaints are
made up by a seeded generator; a likeness to anybody is chance. E-mail addresses end in `.example` (reserved,
RFC 2606), British telephone numbers are those Ofcom keeps for drama, Chinese ones begin with digits that no
operator has.

Reading order: `firm` says what a firm is made of; `hengtai` and `oakfield` are the two. `seasons` and
`shapes` give customers their rhythm; `orders` and `talks` tell what they bought and what was said;
`history` puts it together. None of these knows a database or a clock: the same firm and day always give the
same history. `load` writes it, `weeks` lets nights pass with people at work in between, `logins` says who
may sign in.
"""
