// Puts the parts together. Each part works without the others: with analytics away, the directory
// is as usable as before.
import { startDirectory } from './directory.js';
import { startSheet } from './sheet.js';
import { startStatus } from './status.js';
import { startTicker } from './ticker.js';
import { startTrends } from './trends.js';

const directory = startDirectory((id) => sheet.open(id));
const sheet = startSheet({ onChange: () => directory.reload() });
const trends = startTrends((query) => directory.search(query));
const ticker = startTicker();
startStatus([directory.reload, trends.reload, ticker.reconnect]);
