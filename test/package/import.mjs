/** Uses the package as an ES module: `import.mjs <directory>`. */
import { open } from 'sedgedb'
import { exercise } from './exercise.mjs'

await exercise(open, process.argv[2])
console.log('ok')
