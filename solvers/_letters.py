"""Invoices and mails, invented: what is to be paid and until when, who wants to meet whom, when and where; and what is not meant.

"Invoice R-2041. Total: 84.50 EUR."  ->  number, total
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from solvers import _documents as documents
from solvers._documents import Form

if TYPE_CHECKING:
    import random
    from datetime import date

MISSING_SHARE = 0.3
FIRMS = (
    "Alpine Timber", "Bergland Printing", "Ciampac Catering", "Dolomite Tools", "Edelweiss Linen", "Fanes Electric", "Grissian Books", "Helios Solar",
)  # fmt: skip
GOODS = (
    "oak boards",
    "flyers",
    "tablecloths",
    "drill bits",
    "cables",
    "lamps",
    "shelves",
    "folders",
    "chairs",
    "solar panels",
    "aprons",
    "labels",
)
ROOMS = ("Ciastel", "Fanes", "Lagazuoi", "Marmolada", "Pordoi", "Sassolungo", "Sella", "Tofana")
TOPICS = ("the budget", "the new website", "the spring fair", "the audit", "the translation project", "the office move")


def invoice(rng: random.Random, level: int) -> dict[str, Any]:
    """Draw an invoice, the fields that are asked for, and what is right."""
    form = Form("invoice")
    firm, day = rng.choice(FIRMS), documents.days(rng, 1, 2021, 2025)[0]
    number, order, customer = (f"{letter}-{rng.randint(1000, 9999)}" for letter in rng.sample("RFDKB", 3))
    goods = rng.sample(GOODS, 3)
    net = 50 * rng.randint(40, 600 if level < 4 else 9000)
    total = net + net // 5 if level >= 3 else net
    grouped = level >= 4
    form.ask("number", "the number of this invoice", number, because=f"it is invoice {number}")
    form.ask("total", "the amount to be paid, as a number", documents.amount(total), type_="number", because=f"{documents.money(total)} is to be paid")  # fmt: skip
    lines = [f"{firm} Ltd", f"Invoice {number}"]
    if level >= 2:
        form.ask_date("date", "the date of the invoice", day, because=f"it is dated {day.isoformat()}", points=True)
        lines.append(f"Date: {documents.written(rng, day)}")
    if level >= 3:
        lines += rng.sample([f"Your order: {order}", f"Customer number: {customer}", f"Delivered on {documents.written(rng, day - timedelta(days=rng.randint(2, 9)))}"], 3)  # fmt: skip
    lines.append("For: " + (" and ".join(goods[:2]) if level < 5 else f"{goods[0]}, {goods[1]} and {goods[2]}"))
    if level >= 3:
        lines += [
            f"Net amount: {documents.money(net, grouped=grouped)} EUR",
            f"VAT 20 %: {documents.money(total - net, grouped=grouped)} EUR",
        ]
    lines.append(f"{rng.choice(('Total', 'To be paid', 'Amount due'))}: {documents.money(total, grouped=grouped)} EUR")
    if level >= 3:
        _due(rng, form, lines, day)
    if level >= 4:
        _discount(rng, form, lines)
        paid = 50 * rng.randint(40, 900)
        lines.append(
            f"Your payment of {documents.money(paid, grouped=True)} EUR for invoice {number[0]}-{rng.randint(1000, 9999)} has arrived. Thank you."
        )
    if level >= 5:
        form.ask("goods", "what was delivered, a list of names", goods, type_="array", items={"type": "string"}, uniqueItems=True, because=f"it is for {', '.join(goods)}")  # fmt: skip
        lines.append(f"The {rng.choice([g for g in GOODS if g not in goods])} you asked about are not in stock and were not delivered.")
    return form.task("\n".join(lines))


def _due(rng: random.Random, form: Form, lines: list[str], day: date) -> None:
    due = day + timedelta(days=rng.choice((14, 20, 30)))
    told = rng.random() > MISSING_SHARE
    form.ask_date("due", "the date by which it is to be paid", due if told else None,
                  because=f"it is payable by {due.isoformat()}" if told else "no such date is given, so null")  # fmt: skip
    lines.append(f"Payable by {documents.written(rng, due)}." if told else "Payable on receipt, by bank transfer only.")


def _discount(rng: random.Random, form: Form, lines: list[str]) -> None:
    percent = rng.choice((2, 3, 5))
    granted = rng.random() > 0.5
    form.ask("discount", "the discount for early payment in percent, as a whole number", percent if granted else None, type_="integer",
             because=f"{percent} % are granted" if granted else "none is granted, so null")  # fmt: skip
    lines.append(
        f"{percent} % discount for payment within a week."
        if granted
        else f"The discount of {percent} % offered last year is no longer granted."
    )


def mail(rng: random.Random, level: int) -> dict[str, Any]:
    """Draw a mail that asks to a meeting, the fields that are asked for, and what is right."""
    form = Form("mail")
    writer, reader, third, fourth = documents.people(rng, 4)
    day, other_day = reversed(documents.days(rng, 2, 2024, 2025))
    time, other, another = (30 * slot for slot in rng.sample(range(17, 36), 3))
    room, other_room = rng.sample(ROOMS, 2)
    placed = level < 3 or rng.random() > MISSING_SHARE
    spoken = level >= 2 and rng.random() < 0.5

    def say(minutes: int) -> str:
        return documents.time_of_day(minutes, spoken=spoken)

    form.ask("time", "the time of the meeting, HH:MM, hours from 00 to 23", documents.time_of_day(time), because=f"it is to be at {documents.time_of_day(time)}")  # fmt: skip
    form.ask("room", "the room of the meeting, its name alone", room if placed else None, because=f"it is to be in {room}" if placed else "no room is named for it, so null")  # fmt: skip
    when = f"at {say(time)}"
    if level >= 2:
        form.ask_date("date", "the day of the meeting", day, because=f"it is to be on {day.isoformat()}", points=True)
        when = f"on {documents.written(rng, day)} {when}"
    lines = [f"Dear {reader.title},"]
    where = f" in room {room}" if placed else ""
    lines.append(f"I would like to talk about {rng.choice(TOPICS)}. Let us meet {when}{where}.")
    if level >= 3:
        form.ask("organizer", "the full name of the person who asks for the meeting", writer.name, because=f"{writer.name} writes")
        lines.append(f"{say(other).capitalize()}, as we planned at first, does not suit me.")
    if level >= 4:
        lines.append(f"Room {other_room} is not free that day." if placed else "I do not know yet where; a room will be found.")
        lines.append(f"{third.title} cannot come, {fourth.title} will join us.")
        quoted = f"> {reader.name} wrote on {documents.written(rng, other_day)}:\n> What about {say(another)} in room {other_room}?"
    if level >= 5:
        form.ask("with", "the full names of those who come, without the organizer, a list", [reader.name, fourth.name], type_="array",
                 items={"type": "string"}, uniqueItems=True, because=f"{reader.name} is asked and {fourth.name} joins")  # fmt: skip
        online = rng.choice((True, False, None))
        form.ask("online", "whether one can take part online", online, type_="boolean",
                 because={True: "a link is promised", False: "it is said that one cannot", None: "nothing is said, so null"}[online])  # fmt: skip
        lines += {
            True: ["I will send a link for those who take part from home."],
            False: ["There will be no link this time; please come."],
            None: [],
        }[online]
    lines += ["Best wishes", writer.name]
    return form.task("\n".join([*lines, *(["", quoted] if level >= 4 else [])]))
