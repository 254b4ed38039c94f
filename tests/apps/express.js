const express = require('express')

const app = express()
app.use(express.json())
app.get('/', (req, res) => res.json({ pid: process.pid }))
app.post('/sum', (req, res) => res.json({ pid: process.pid, sum: req.body.reduce((a, b) => a + b, 0) }))
app.listen(Number(process.env.PORT || 0))
