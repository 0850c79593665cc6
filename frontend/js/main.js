// Puts the parts together. Each part works without the others: with analytics away, the directory
// is as usable as before.
import { startAccount } from './account.js';
import { loadConfig } from './config.js';
import { startDirectory } from './directory.js';
import { startSession } from './session.js';
import { startSheet } from './sheet.js';
import { notify, report, startStatus } from './status.js';
import { startTicker } from './ticker.js';
import { startTrends } from './trends.js';

// Without its configuration the page reads as well as it is let, and says what is wrong.
let note = null;
try {
  note = await startSession(await loadConfig());
} catch (error) {
  report('config', `The page's configuration cannot be used: ${error.message}`);
}

startAccount();
const directory = startDirectory((id) => sheet.open(id));
const sheet = startSheet({ onChange: () => directory.reload() });
const trends = startTrends((query) => directory.search(query));
const ticker = startTicker();
startStatus([directory.reload, trends.reload, ticker.reconnect]);
if (note) notify(note);
