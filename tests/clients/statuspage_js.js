// Drives the published package statuspage.js 1.0.17: PAGE. It reads https://PAGE.statuspage.io and nothing else, so that
// the environment has to lead there (https_proxy).
'use strict';

const {Statuspage, StatuspageUpdates} = require('statuspage.js');

const METHODS = [
  'summary', 'status', 'components', 'allIncidents', 'unresolvedIncidents', 'allScheduledMaintenances',
  'activeScheduledMaintenances', 'upcomingScheduledMaintenances',
];

async function main(page) {
  const client = new Statuspage(page);
  const seen = {};
  for (const method of METHODS) {
    seen[method] = await client[method]();
  }
  for (const date of [seen.summary.page.updated_at, seen.allIncidents.incidents[0].incident_updates[0].updated_at]) {
    if (!(date instanceof Date)) {
      throw new Error(`${date} is not read as a date`);
    }
  }
  console.log(JSON.stringify(seen));

  const updates = new StatuspageUpdates(page, 20);
  const said = [];
  updates.on('start', status => said.push(status.state));
  updates.on('stop', status => said.push(status.state));
  updates.once('run', () => console.log('polling'));
  updates.once('incident_update', incident => {
    updates.stop();
    console.log(JSON.stringify({said, incident}));
  });
  await updates.start();
}

main(process.argv[2]);
