// A UDP server that answers with its pid and what it got.
const dgram = require('dgram')

const socket = dgram.createSocket(process.env.UDP_TYPE || 'udp4')
socket.on('message', (data, peer) => socket.send(`${process.pid} ${data}`, peer.port, peer.address))
socket.on('error', (error) => { console.error('udp error', error.code); process.exit(1) })
socket.bind(Number(process.env.PORT || 0))
