#!/usr/bin/env python3
"""Devices that speak MQTT, as a house would have them; it needs python3-paho-mqtt."""

import math
import random
import time

import paho.mqtt.client as mqtt

HOST, PORT = "127.0.0.1", 1883
SENSORS = {  # topic: where it stands, how far the day moves it, how much it trembles, how many digits it tells
    "kitchen/temperature": (21.5, 2.5, 0.15, 1), "kitchen/humidity": (46, 6, 0.6, 0), "bedroom/co2": (780, 220, 12, 0),
    "roof/solar": (2400, 1500, 90, 0), "garden/wind": (4.5, 2.0, 0.7, 1), "cellar/temperature": (13.2, 0.4, 0.05, 1),
}


def device(place):
    """One client per place, as if each were a box of its own. Should it fall silent, its last will says so."""
    # Version 2 of the library wants to be told that no old callbacks are meant.
    client = mqtt.Client(*([mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []), client_id=f"house-{place}")
    client.will_set(f"sensors/{place}/status", "offline", qos=1, retain=True)
    client.on_connect = lambda client, *_: client.publish(f"sensors/{place}/status", "online", qos=1, retain=True)
    client.reconnect_delay_set(1, 4)
    client.connect_async(HOST, PORT, keepalive=10)
    client.loop_start()  # connects, and does so again whenever it must; what cannot be sent yet waits
    return client


devices = {place: device(place) for place in sorted({topic.split("/")[0] for topic in SENSORS})}
drift = dict.fromkeys(SENSORS, 0.0)
began = time.time()
while True:
    for number, (topic, (middle, swing, tremble, digits)) in enumerate(SENSORS.items()):
        drift[topic] = 0.9 * drift[topic] + random.gauss(0, tremble)
        value = max(0, middle + swing * math.sin((time.time() - began) / 25 + number) + drift[topic])
        devices[topic.split("/")[0]].publish(f"sensors/{topic}", f"{value:.{digits}f}", qos=1)
    time.sleep(0.5)
