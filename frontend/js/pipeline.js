// Where the events of the last 24 hours are, from the user service's counts (emitted, waiting) and
// analytics' (queued, archived, quarantined).
import { byId, setText } from './dom.js';
import { count, formatAge, formatNumber, plural } from './format.js';

export function startPipeline() {
  let emitted = null;
  let pipeline = null;

  const sum = (hours, name) => (hours ?? []).reduce((total, hour) => total + count(hour[name]), 0);

  function figure(name, value, note) {
    setText(byId(`figure-${name}`), formatNumber(value));
    setText(byId(`note-${name}`), note);
  }

  function render() {
    if (emitted) {
      const dropped = count(emitted.droppedReads);
      figure('emitted', sum(emitted.hours, 'emitted'), dropped ? `${formatNumber(dropped)} reads dropped` : 'last 24 hours');
      const waiting = count(emitted.pending);
      figure('waiting', waiting, waiting ? `oldest ${formatAge(count(emitted.oldestPendingMs))}` : 'at the source');
    }
    if (pipeline) {
      const queued = count(pipeline.queuedEvents);
      const open = count(pipeline.openEvents);
      figure('queued', queued, open ? `${formatNumber(open)} in open segments` : queued ? `oldest ${formatAge(count(pipeline.oldestQueuedMs))}` : 'in analytics');
      figure('archived', sum(pipeline.hours, 'archived'), `${plural(count(pipeline.archivedObjects), 'object', 'objects')} in all`);
      const quarantined = sum(pipeline.hours, 'quarantined');
      figure('quarantined', quarantined, quarantined ? 'kept under errors/' : 'all readable');
      byId('tile-quarantined').dataset.alarm = String(quarantined > 0);
    }
    if (emitted && pipeline) showState();
  }

  function showState() {
    const made = sum(emitted.hours, 'emitted');
    const done = sum(pipeline.hours, 'archived') + sum(pipeline.hours, 'quarantined');
    const onTheWay = count(emitted.pending) + count(pipeline.queuedEvents) + count(pipeline.openEvents);
    const state = byId('pipeline-state');
    const settled = onTheWay === 0 && done === made;
    state.dataset.state = settled ? 'settled' : 'moving';
    setText(state, made === 0 && settled ? 'No events yet' : settled ? 'All archived' : `${formatNumber(Math.max(made - done, onTheWay > 0 ? 1 : 0))} on the way`);
  }

  return {
    showEmitted: (answer) => {
      emitted = answer;
      render();
    },
    showPipeline: (answer) => {
      pipeline = answer;
      render();
    },
  };
}
