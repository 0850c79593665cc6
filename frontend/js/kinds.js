// The kinds of events, in the order in which the chart stacks them, with the colour (a custom
// property of style.css) and the words that stand for them.
export const kinds = [
  { id: 'EVENT_KIND_USERS_SEARCHED', name: 'Searched', colour: '--kind-searched', says: 'Users searched' },
  { id: 'EVENT_KIND_USER_READ', name: 'Read', colour: '--kind-read', says: 'User read' },
  { id: 'EVENT_KIND_USERS_LISTED', name: 'Listed', colour: '--kind-listed', says: 'Users listed' },
  { id: 'EVENT_KIND_USER_CREATED', name: 'Created', colour: '--kind-created', says: 'User created' },
  { id: 'EVENT_KIND_USER_UPDATED', name: 'Updated', colour: '--kind-updated', says: 'User updated' },
  { id: 'EVENT_KIND_USER_DELETED', name: 'Deleted', colour: '--kind-deleted', says: 'User deleted' },
];

export const kindById = new Map(kinds.map((kind) => [kind.id, kind]));
