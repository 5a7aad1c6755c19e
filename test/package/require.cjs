/** Uses the package from CommonJS: `require.cjs <directory>`. */
const { open } = require('sedgedb')

import('./exercise.mjs')
  .then(({ exercise }) => exercise(open, process.argv[2]))
  .then(() => console.log('ok'))
