"""The README's example: a shop that sends receipts in the background.

Run it: `postroom worker examples.shop:app` in one terminal, `python -m examples.shop` in another.
"""

from postroom import Postroom

app = Postroom()


@app.task(queue="mail")
def send_receipt(order_id: int) -> str:
    """Pretend to send a mail."""
    return f"receipt for order {order_id} sent"


def main() -> None:
    """Hand three receipts over the counter and wait for what becomes of them."""
    for job in [send_receipt.enqueue(order_id) for order_id in (41, 42, 43)]:
        print(job.id, job.result(timeout=10))


if __name__ == "__main__":
    main()
