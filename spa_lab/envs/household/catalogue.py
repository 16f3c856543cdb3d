"""Facts about household types: what may lie in what, what a tool can change, what a room contains.

The placement and state tables are the facts of ALFWorld's public table file (`alfworld/gen/constants.py`,
version 0.4.2, MIT), without sliced forms and without movable containers; type names are ALFWorld's. The
room lists (which small objects a generated room may hold) follow the rooms of games generated from
ALFWorld's floor plans.
"""

from types import MappingProxyType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TABLE = _words(
    "AlarmClock Apple BaseballBat BasketBall Book Bowl Box Bread ButterKnife CD Candle CellPhone Cloth "
    "CreditCard Cup DishSponge Egg Fork Glassbottle HandTowel Kettle KeyChain Knife Ladle Laptop Lettuce "
    "Mug Newspaper Pan PaperTowel Pen Pencil PepperShaker Plate Pot Potato RemoteControl SaltShaker SoapBar "
    "SoapBottle Spatula Spoon SprayBottle Statue TennisRacket TissueBox ToiletPaper ToiletPaperRoll Tomato "
    "Vase Watch WateringCan WineBottle"
)
_SEAT = _words(
    "BasketBall Book Box CellPhone Cloth CreditCard KeyChain Laptop Newspaper Pillow RemoteControl"
)

HOLDS = MappingProxyType(
    {
        "ArmChair": _SEAT,
        "BathtubBasin": _words("Cloth DishSponge HandTowel SoapBar"),
        "Bed": _words("BaseballBat BasketBall Book CellPhone Laptop Newspaper Pillow TennisRacket"),
        "Cabinet": _words(
            "Book Bowl Box CD Candle Cloth Cup DishSponge Glassbottle HandTowel Kettle Ladle Mug "
            "Newspaper Pan PepperShaker Plate Plunger Pot SaltShaker SoapBar SoapBottle SprayBottle "
            "TissueBox ToiletPaper ToiletPaperRoll Vase WateringCan WineBottle"
        ),
        "Cart": _words(
            "Candle Cloth DishSponge HandTowel Mug PaperTowel Plunger SoapBar SoapBottle SprayBottle "
            "Statue TissueBox ToiletPaper ToiletPaperRoll Vase"
        ),
        "CoffeeMachine": _words("Mug"),
        "CoffeeTable": _TABLE,
        "CounterTop": _TABLE,
        "Desk": _words(
            "AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle "
            "KeyChain Laptop Mug Newspaper Pen Pencil Plate RemoteControl SoapBottle SprayBottle Statue "
            "TennisRacket TissueBox ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle"
        ),
        "DiningTable": _TABLE,
        "Drawer": _words(
            "Book ButterKnife CD Candle CellPhone Cloth CreditCard DishSponge Fork HandTowel KeyChain "
            "Knife Ladle Newspaper Pen Pencil PepperShaker RemoteControl SaltShaker SoapBar SoapBottle "
            "Spatula Spoon SprayBottle TissueBox ToiletPaper ToiletPaperRoll Watch WateringCan"
        ),
        "Dresser": _words(
            "AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle "
            "KeyChain Laptop Mug Newspaper Pen Pencil Plate RemoteControl SprayBottle Statue "
            "TennisRacket TissueBox ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle"
        ),
        "Fridge": _words(
            "Apple Bowl Bread Cup Egg Glassbottle Lettuce Mug Pan Plate Pot Potato Tomato WineBottle"
        ),
        "GarbageCan": _words(
            "Apple Bread CD Cloth DishSponge Egg HandTowel Lettuce Newspaper PaperTowel Pen Pencil "
            "Potato SoapBar SoapBottle SprayBottle TissueBox ToiletPaper ToiletPaperRoll Tomato "
            "WineBottle"
        ),
        "HandTowelHolder": _words("HandTowel"),
        "LaundryHamper": _words("Cloth"),
        "Microwave": _words("Apple Bowl Bread Cup Egg Glassbottle Mug Plate Potato Tomato"),
        "Ottoman": _SEAT,
        "Safe": _words("CD CellPhone CreditCard KeyChain Statue Vase Watch"),
        "Shelf": _words(
            "AlarmClock Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup DishSponge Glassbottle "
            "HandTowel Kettle KeyChain Mug Newspaper PaperTowel Pen Pencil PepperShaker Plate Pot "
            "RemoteControl SaltShaker SoapBar SoapBottle SprayBottle Statue TissueBox ToiletPaper "
            "ToiletPaperRoll Vase Watch WateringCan WineBottle"
        ),
        "SideTable": _TABLE,
        "SinkBasin": _words(
            "Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Glassbottle HandTowel Kettle Knife "
            "Ladle Lettuce Mug Pan Plate Pot Potato SoapBar Spatula Spoon Tomato"
        ),
        "Sofa": _SEAT,
        "StoveBurner": _words("Kettle Pan Pot"),
        "TVStand": _words("TissueBox"),
        "Toaster": _words(""),
        "Toilet": _words(
            "Candle Cloth DishSponge HandTowel Newspaper PaperTowel SoapBar SoapBottle SprayBottle "
            "TissueBox ToiletPaper ToiletPaperRoll"
        ),
        "ToiletPaperHanger": _words("ToiletPaper ToiletPaperRoll"),
        "TowelHolder": _words("Towel"),
    }
)
"""Receptacle type -> the object types that may lie in it, sorted."""

HEATABLE = _words("Apple Bread Cup Egg Mug Plate Potato Tomato")
COOLABLE = _words("Apple Bowl Bread Cup Egg Lettuce Mug Pan Plate Pot Potato Tomato WineBottle")
CLEANABLE = _words(
    "Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Kettle Knife Ladle Lettuce Mug Pan Plate Pot "
    "Potato SoapBar Spatula Spoon Tomato"
)
SLICEABLE = _words("Apple Bread Egg Lettuce Potato Tomato")
LAMPS = _words("DeskLamp FloorLamp")
OPENABLE = _words("Cabinet Drawer Fridge Microwave Safe")
CONTAINERS = _words("Bowl Box Cup Mug Pan Plate Pot")
"""Objects that may hold other objects (`isReceptacleObject`)."""
LAMP_STANDS = _words("Desk SideTable Shelf Dresser CoffeeTable TVStand")
"""Receptacle types that a lamp may stand on, in the order of preference."""

ROOM_OBJECTS = MappingProxyType(
    {
        "Kitchen": _words(
            "Apple Bowl Bread ButterKnife Cup DishSponge Egg Fork Glassbottle Kettle Knife Ladle Lettuce "
            "Mug Pan PepperShaker Plate Pot Potato SaltShaker SoapBottle Spatula Spoon Tomato WineBottle"
        ),
        "LivingRoom": _words(
            "Book Box CellPhone CreditCard KeyChain Laptop Newspaper Pen Pencil Pillow Plate "
            "RemoteControl Statue TissueBox Vase Watch WateringCan"
        ),
        "Bedroom": _words(
            "AlarmClock BaseballBat BasketBall Book Bowl Box CD CellPhone CreditCard KeyChain Laptop Mug "
            "Pen Pencil Pillow TennisRacket"
        ),
        "Bathroom": _words(
            "Candle Cloth DishSponge HandTowel Plunger SoapBar SoapBottle SprayBottle TissueBox "
            "ToiletPaper Towel"
        ),
    }
)
"""Room kind -> the types of movable objects found there."""

TASK_ROOMS = MappingProxyType(
    {
        "pick_and_place_simple": _words("Kitchen LivingRoom Bedroom Bathroom"),
        "look_at_obj_in_light": _words("LivingRoom Bedroom"),
        "pick_clean_then_place_in_recep": _words("Kitchen Bathroom"),
        "pick_heat_then_place_in_recep": _words("Kitchen"),
        "pick_cool_then_place_in_recep": _words("Kitchen"),
        "pick_two_obj_and_place": _words("Kitchen LivingRoom Bedroom Bathroom"),
    }
)
"""The six ALFWorld task types -> the room kinds that they are played in."""

TOOLS = MappingProxyType(
    {
        "pick_heat_then_place_in_recep": ("heat", "Microwave", HEATABLE),
        "pick_cool_then_place_in_recep": ("cool", "Fridge", COOLABLE),
        "pick_clean_then_place_in_recep": ("clean", "SinkBasin", CLEANABLE),
    }
)
"""Task type -> (verb, receptacle type of the tool, object types that it works on)."""
